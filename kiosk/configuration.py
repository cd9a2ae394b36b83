"""Reads the settings: one TOML file, then `KIOSK_…` variables, then command-line options; and the secrets they name."""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from kiosk.errors import ConfigurationError, did_you_mean
from kiosk.settings import NESTING, PREFIX, Settings

_RULE_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*rules[ \t]*\]\]", re.MULTILINE)


def pairs(overrides: Sequence[str]) -> dict[str, str]:
    """`section.key=value` of the command line, parted. Raises ConfigurationError `configuration_invalid`."""
    parted = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise ConfigurationError("configuration_invalid", f"--set {override}: write it as section.key=value")
        parted[key.strip()] = value.strip()
    return parted


def load(file: Path | None = None, overrides: Mapping[str, str] | None = None) -> Settings:
    """Reads and validates everything.

    `overrides` are the command line's `section.key = value`, strongest of all.
    Raises ConfigurationError with slug `configuration_invalid`; its detail has one line a mistake:
    where, what was found, what would be right.
    """
    table = _read(file) if file else {}
    _refuse_unknown_variables()
    reader = type("Settings", (Settings,), {"_file": table, "__module__": Settings.__module__, "__doc__": Settings.__doc__})
    try:
        merged = reader(**_nested(overrides or {}))
    except ValidationError as error:
        where = str(file) if file else "the settings"
        theirs = "rules" in (overrides or {}) or f"{PREFIX}RULES" in {name.upper() for name in os.environ}
        rules = [] if theirs else [line for _, line in _rule_lines(file)]
        lines = "\n".join(f"  {line}" for line in _mistakes(error, rules))
        raise ConfigurationError("configuration_invalid", f"{where}:\n{lines}") from error
    return Settings.model_construct(_fields_set=merged.model_fields_set, **dict(merged))


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """Where settings come from, so that they can be read again. `overrides`: see `load`."""

    file: Path | None = None
    overrides: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def load(self) -> Settings:
        """Raises ConfigurationError."""
        return load(self.file, self.overrides)


def places(file: Path | None, settings: Settings) -> dict[str, str]:
    """Of each rule that comes from `file`, by its name: `kiosk.toml:12`, the line where its table begins.

    A rule is not among them where that is not certain, or where a variable or an option was stronger than the file.
    """
    found = {}
    for rule, line in _rule_lines(file):
        name = rule.get("name")
        if line and any((one.name, one.when) == (name, rule.get("when")) for one in settings.rules):
            found[str(name)] = f"{file}:{line}"
    return found


def _rule_lines(file: Path | None) -> list[tuple[Mapping[str, Any], int]]:
    """The file's rules, and the line of each one's header; 0 where it is not certain. TOML's reader tells no lines."""
    if file is None:
        return []
    table, text = _read(file), file.read_text(encoding="utf-8")
    rules, headers = table.get("rules", []), list(_RULE_HEADER.finditer(text))
    if not isinstance(rules, list) or len(headers) != len(rules):
        return []
    lines = []
    ends = [*(header.start() for header in headers), len(text)][1:]
    for rule, header, end in zip(rules, headers, ends, strict=True):
        body = text[header.end() : end]
        stands_there = re.search(rf"""(?m)^\s*name\s*=\s*["']{re.escape(str(rule.get("name")))}["']""", body)
        lines.append((rule, text.count("\n", 0, header.start()) + 1 if stands_there else 0))
    return lines


def secret(file: Path) -> str:
    """A secret's value without surrounding blanks.

    A bare file name is looked for in systemd's `$CREDENTIALS_DIRECTORY` first.
    Raises ConfigurationError `secret_missing`.
    """
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and file.name == str(file) and (Path(credentials) / file).is_file():
        file = Path(credentials) / file
    try:
        value = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            "secret_missing", f"{file}: {error.__class__.__name__}; put the secret there, mode 0600"
        ) from error
    if not value:
        raise ConfigurationError("secret_missing", f"{file} is empty")
    return value


def known_paths(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Every setting as a dotted path; a `*` stands for a name the user chooses."""
    for name, field in model.model_fields.items():
        inner = _inner_model(field.annotation)
        if inner is None:
            yield prefix + name
        elif "dict[" in str(field.annotation) or "tuple[" in str(field.annotation):
            yield from known_paths(inner, f"{prefix}{name}.*.")
        else:
            yield from known_paths(inner, f"{prefix}{name}.")


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _inner_model(argument)
        if found:
            return found
    return None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError("configuration_missing", f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError("configuration_invalid", f"{file}: not TOML: {error}") from error


def _nested(dotted: Mapping[str, str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in dotted.items():
        *parents, leaf = path.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = value
    return tree


def _refuse_unknown_variables() -> None:
    known = [path.replace(".", NESTING).upper() for path in known_paths()]
    for variable in os.environ:
        if variable.upper().startswith(PREFIX) and not _is_known(variable[len(PREFIX) :].upper(), known):
            near = did_you_mean(variable.upper(), [PREFIX + name for name in known])
            raise ConfigurationError("configuration_unknown_variable", f"{variable} is no setting{near}")


def _is_known(name: str, known: list[str]) -> bool:
    parts = name.split(NESTING)
    for candidate in known:
        pattern = candidate.split(NESTING)
        if len(pattern) >= len(parts) and all(want in ("*", have) for have, want in zip(parts, pattern, strict=False)):
            return True
    return False


def _mistakes(error: ValidationError, rule_lines: Sequence[int]) -> Iterator[str]:
    """`rule_lines`: where each rule stands in the file, as far as that is known."""
    for item in error.errors():
        path = ".".join(str(part) for part in item["loc"])
        if path.startswith("rules.") and int(item["loc"][1]) < len(rule_lines) and rule_lines[int(item["loc"][1])]:
            path += f" (line {rule_lines[int(item['loc'][1])]})"
        if item["type"] == "extra_forbidden":
            *parents, leaf = [str(part) for part in item["loc"]]
            yield f"{path}: unknown setting{did_you_mean(leaf, _siblings(parents))}"
        else:
            # Codes and cards of people are as good as keys, and what is said here goes into logs.
            untold = isinstance(item["input"], dict | tuple | list) or path.startswith("people.")
            found = "" if untold else f", found {item['input']!r}"
            message = item["msg"].removeprefix("Value error, ")
            yield f"{path or 'settings'}: {message}{found}"


def _siblings(parents: list[str]) -> list[str]:
    model: type[BaseModel] | None = Settings
    for part in parents:
        field = model.model_fields.get(part) if model else None
        if field is not None:
            model = _inner_model(field.annotation)
    return list(model.model_fields) if model else []
