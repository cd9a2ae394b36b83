-- The gallery's file, schema 1. Secret values are sealed: see sealing.py. Times are Unix milliseconds.

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- Numbers are never used again, so that who is remembered by a number is never taken for another.
CREATE TABLE groups (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    tag TEXT NOT NULL,
    fields TEXT NOT NULL,
    consent INTEGER CHECK (consent IN (0, 1)),
    created INTEGER NOT NULL,
    persons INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX groups_by_name ON groups (name);

CREATE TABLE persons (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    tag TEXT NOT NULL,
    gender INTEGER NOT NULL,
    consent INTEGER CHECK (consent IN (0, 1)),
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE memberships (
    number INTEGER PRIMARY KEY,
    grp INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    person INTEGER NOT NULL REFERENCES persons ON DELETE CASCADE,
    descriptions TEXT NOT NULL DEFAULT '{}',
    UNIQUE (grp, person)
) STRICT;
CREATE INDEX memberships_by_person ON memberships (person);

CREATE TABLE faces (
    number INTEGER PRIMARY KEY,
    person INTEGER NOT NULL REFERENCES persons ON DELETE CASCADE,
    place INTEGER NOT NULL,
    x REAL NOT NULL,
    y REAL NOT NULL,
    width REAL NOT NULL,
    height REAL NOT NULL,
    grade INTEGER NOT NULL,
    tag TEXT NOT NULL,
    created INTEGER NOT NULL,
    embedding BLOB NOT NULL,
    upper BLOB
) STRICT;
CREATE INDEX faces_by_person ON faces (person);

CREATE TABLE photos (face INTEGER PRIMARY KEY REFERENCES faces ON DELETE CASCADE, photo BLOB NOT NULL) STRICT;

CREATE TABLE deletions (number INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT;

-- What other processes follow; `faces`: whether the person's faces changed, or only their groups.
CREATE TABLE changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL, faces INTEGER NOT NULL) STRICT;

-- Who is farther behind than what is kept starts afresh.
CREATE TRIGGER changes_stay_few AFTER INSERT ON changes WHEN new.seq % 1024 = 0 BEGIN
    DELETE FROM changes WHERE seq <= new.seq - 65536;
END;
CREATE TRIGGER face_added AFTER INSERT ON faces BEGIN
    INSERT INTO changes (person, faces) VALUES (new.person, 1);
END;
CREATE TRIGGER face_gone AFTER DELETE ON faces BEGIN
    INSERT INTO changes (person, faces) VALUES (old.person, 1);
END;
CREATE TRIGGER person_joined AFTER INSERT ON memberships BEGIN
    INSERT INTO changes (person, faces) VALUES (new.person, 0);
    UPDATE groups SET persons = persons + 1 WHERE number = new.grp;
END;
CREATE TRIGGER person_left AFTER DELETE ON memberships BEGIN
    INSERT INTO changes (person, faces) VALUES (old.person, 0);
    UPDATE groups SET persons = persons - 1 WHERE number = old.grp;
END;
