"""The vendor's 90 points of a face out of MediaPipe's 478.

How many points a part has and in which order they run is taken from the answer in the vendor's command line package
(tccli 3.1.189.1, examples of AnalyzeFace): the face's edge from temple over chin to temple, eyes and brows from the outer
corner along the lower edge to the inner corner and back along the upper one, left and right as the picture shows them.
Which of MediaPipe's points comes nearest is the sandbox's choice; the edge's points are to lie evenly, as there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

PARTS: Mapping[str, tuple[int, ...]] = {
    "FaceProfile": (
        *(127, 234, 93, 132, 58, 172, 136, 150, 176, 148),
        152,  # the chin
        *(377, 400, 379, 365, 397, 288, 361, 323, 454, 356),
    ),
    "LeftEye": (33, 163, 145, 154, 133, 157, 159, 161),
    "RightEye": (263, 390, 374, 381, 362, 384, 386, 388),
    "LeftEyeBrow": (46, 53, 52, 65, 55, 66, 105, 63),
    "RightEyeBrow": (276, 283, 282, 295, 285, 296, 334, 293),
    "Mouth": (
        *(61, 91, 84, 17, 314, 321, 291),  # under the lower lip, corner to corner
        *(270, 267, 0, 37, 40),  # over the upper lip, back
        *(88, 178, 14, 402, 318),  # between the lips, the lower one
        *(310, 311, 13, 81, 80),  # and back along the upper one
    ),
    "Nose": (
        *(4, 168),  # tip and root
        *(122, 174, 198, 64, 97),  # down the left side
        2,
        *(326, 294, 420, 399, 351),  # up the right side
    ),
    "LeftPupil": (468,),
    "RightPupil": (473,),
}


def shape(landmarks: bytes) -> dict[str, list[dict[str, int]]]:
    """A FaceShape; `landmarks` as in ports.AnalysedFace."""
    points = np.rint(np.frombuffer(landmarks, "<f4").reshape(-1, 2)).astype(int).tolist()
    return {part: [{"X": points[index][0], "Y": points[index][1]} for index in indices] for part, indices in PARTS.items()}
