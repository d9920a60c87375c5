"""Ignore files, as docs/identity.md describes them: which paths of a context they keep out."""

import os
import posixpath
import re


class Unknown(Exception):
    """Something that the reference cannot judge, or that is an error."""


# What Unicode calls white space; Python's own `strip` takes four characters more.
WHITE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
# Bytes of the longest line.
LONGEST = 65535
MOST_LINKS = 255
DIGITS = r"(?:0|[1-9][0-9]*)"
REPETITION = re.compile(rf"({DIGITS})(?:(,)({DIGITS})?)?\}}")
CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\x00-\x7f", "blank": "\t ", "cntrl": "\x00-\x1f\x7f", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": "\t\n\v\f\r ", "upper": "A-Z",
    "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}
ESCAPED_CLASSES = {
    "d": "[0-9]", "D": "[^0-9]", "s": r"[\t\n\f\r ]", "S": r"[^\t\n\f\r ]", "w": "[0-9A-Za-z_]", "W": "[^0-9A-Za-z_]",
}
ESCAPED = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def clean(path):
    """Go's path.Clean."""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def bad(pattern):
    return Unknown(f"bad pattern `{pattern}`")


def translate(pattern):
    """The function that tells whether a cleaned pattern matches a path."""
    check_globs(pattern)
    # One byte order mark is passed over by what follows, but for the short forms' texts.
    text = pattern.removeprefix("\ufeff")
    out, at, form = ["^"], 0, "exact"
    while at < len(text):
        begin, char = at, text[at]
        at += 1
        if char == "*" and text[at:at + 1] == "*":
            at += 1
            at += text[at:at + 1] == "/"
            if at < len(text):
                out.append("(.*/)?")
                form = "expression"
            elif form == "exact":
                form = "beginning"
            else:
                out.append(".*")
                form = "expression"
            if begin == 0:
                form = "end"
        elif char in "*?":
            out.append("[^/]*" if char == "*" else "[^/]")
            form = "expression"
        elif char in ".+()$":
            out.append("\\" + char)
        elif char == "\\":
            if at == len(text):
                # Where Go takes that for a pattern at all, it is an accident that this does not play.
                raise bad(pattern)
            out.append(char + text[at])
            at += 1
            form = "expression"
        else:
            out.append(char)
            if char in "[]":
                form = "expression"
    if form == "exact":
        return lambda path: path == pattern
    if form == "beginning":
        return lambda path: path.encode().startswith(pattern.encode()[:-2])
    if form == "end":
        end = pattern.encode()[2:]
        return lambda path: path.encode().endswith(end) or (end.startswith(b"/") and path.encode() == end[1:])
    found = re.compile(Expression("".join(out) + "$", pattern).translated())
    return lambda path: found.search(path) is not None


def check_globs(pattern):
    """Refuses a pattern with a bad `[…]`: it holds ranges only, with their edges' `-` and `]` behind `\\`."""
    at = 0

    def edge():
        nonlocal at
        if at >= len(pattern) or pattern[at] in "-]":
            raise bad(pattern)
        at += pattern[at] == "\\"
        if at >= len(pattern):
            raise bad(pattern)
        at += 1

    while at < len(pattern):
        at += 1
        if pattern[at - 1] == "\\":
            at += 1
        elif pattern[at - 1] == "[":
            at += pattern[at:at + 1] == "^"
            edges = 0
            while edges == 0 or pattern[at:at + 1] != "]":
                edge()
                if pattern[at:at + 1] == "-":
                    at += 1
                    edge()
                edges += 1
            at += 1


class Expression:
    """A regular expression of Go's as one of Python's; what is not known here is refused."""

    def __init__(self, text, pattern):
        self.text, self.at, self.pattern = text, 0, pattern

    def unknown(self, what):
        return Unknown(f"pattern `{self.pattern}` has {what}, which is not known here")

    def take(self):
        if self.at >= len(self.text):
            raise bad(self.pattern)
        self.at += 1
        return self.text[self.at - 1]

    def translated(self):
        # `repeatable`: whether something stands before that can be repeated, and is not.
        out, repeatable = [], False
        while self.at < len(self.text):
            char = self.take()
            if char in "(|":
                out.append("(?:" if char == "(" else "|")
                repeatable = False
                continue
            if char in "*?" or (char == "{" and REPETITION.match(self.text, self.at)):
                if not repeatable:
                    raise bad(self.pattern)
                out.append(char if char != "{" else self.repetition())
                repeatable = False
                continue
            repeatable = True
            if char in "^$":
                out.append(r"(?:\A)" if char == "^" else r"(?:\Z)")
            elif char in ".)":
                out.append(char)
            elif char == "[":
                out.append(self.bracket())
            elif char == "\\":
                following = self.text[self.at:self.at + 1]
                if following in ESCAPED_CLASSES:
                    out.append(ESCAPED_CLASSES[self.take()])
                else:
                    out.append(re.escape(self.escaped()))
            else:
                out.append(re.escape(char))
        return "".join(out)

    def repetition(self):
        found = REPETITION.match(self.text, self.at)
        self.at = found.end()
        least = int(found[1])
        most = int(found[3]) if found[3] else least
        if least > most or most > 1000:
            raise bad(self.pattern)
        return "{" + found[0]

    def escaped(self):
        char = self.take()
        if char in ESCAPED:
            return ESCAPED[char]
        if char.isascii() and not char.isalnum():
            return char
        if char in "QEpPxbBAz01234567":
            raise self.unknown(f"`\\{char}`")
        raise bad(self.pattern)

    def bracket(self):
        out, first = "[", True
        if self.text[self.at:self.at + 1] == "^":
            self.at += 1
            out += "^"
        while first or self.text[self.at:self.at + 1] != "]":
            first = False
            named = re.compile(r"\[:(.*?):\]", re.DOTALL).match(self.text, self.at)
            if named:
                if named[1] not in CLASSES:
                    raise bad(self.pattern) if named[1].removeprefix("^") not in CLASSES else self.unknown(f"`{named[0]}`")
                out += CLASSES[named[1]]
                self.at = named.end()
                continue
            following = self.text[self.at + 1:self.at + 2]
            if self.text[self.at:self.at + 1] == "\\" and following in ESCAPED_CLASSES:
                inner = ESCAPED_CLASSES[following]
                if inner.startswith("[^"):
                    raise self.unknown(f"`\\{following}` in a class")
                out += inner[1:-1]
                self.at += 2
                continue
            low = high = self.one()
            if self.text[self.at:self.at + 1] == "-" and self.text[self.at + 1:self.at + 2] not in ("", "]"):
                self.at += 1
                high = self.one()
            if low > high:
                raise bad(self.pattern)
            out += f"{re.escape(low)}-{re.escape(high)}"
        self.at += 1
        return out + "]"

    def one(self):
        char = self.take()
        return self.escaped() if char == "\\" else char


class Ignore:
    """The rules of one ignore file."""

    def __init__(self, text=""):
        self.rules, self.stems, self.known = [], [], {}
        for line in text.removeprefix("\ufeff").split("\n"):
            if len(line.encode()) > LONGEST:
                raise Unknown("a line of an ignore file is too long")
            if line.startswith("#") or not line.strip(WHITE):
                continue
            line = line.strip(WHITE)
            mark = "!" if line.startswith("!") else ""
            line = line.removeprefix("!").strip(WHITE)
            if line:
                line = clean(line)
                if len(line) > 1:
                    line = line.removeprefix("/")
            # All of it once more, with the `!`.
            line = (mark + line).strip(WHITE)
            if not line:
                continue
            line = clean(line)
            lets_through = line.startswith("!")
            line = line.removeprefix("!")
            if not line:
                raise bad("!")
            self.rules.append((translate(line), lets_through))
            if lets_through:
                self.stems.append(line.removesuffix("/**").removesuffix("/*"))

    def check(self, path):
        """Whether a path is kept out, and which rules matched it."""
        if path not in self.known:
            above = self.check(path.rsplit("/", 1)[0])[1] if "/" in path else [False] * len(self.rules)
            out, matched = False, []
            for (matches, lets_through), inherited in zip(self.rules, above):
                # A rule that would change nothing is not asked.
                hit = inherited or (lets_through == out and matches(path))
                matched.append(hit)
                if hit:
                    out = not lets_through
            self.known[path] = out, matched
        return self.known[path]

    def passes_over(self, folder):
        """Whether this folder is kept out, and not looked into."""
        if not self.check(folder)[0]:
            return False
        return not any(re.search(r"[*\[\]?^\\]", stem) or f"{stem}/".startswith(f"{folder}/") for stem in self.stems)

    def ignores(self, path):
        above = [path[:at] for at, char in enumerate(path) if char == "/"]
        return any(map(self.passes_over, above)) or self.check(path)[0]

    def empties(self, path):
        """Whether this file, which is let through, arrives without its content: asked for alone, with the folders above it, it is kept out."""
        paths = [path] + [path[:at] for at, char in enumerate(path) if char == "/"]
        out = False
        for matches, lets_through in self.rules:
            if lets_through == out and any(map(matches, paths)):
                out = not lets_through
        # As long as no rule follows an exception, both ways are one.
        kinds = [lets_through for _, lets_through in self.rules]
        return out and kinds != sorted(kinds) and not self.ignores(path)


def read_ignore(*places):
    """The rules of the first file that is there, of pairs of folder and name."""
    for folder, name in places:
        path = within(folder, name)
        if path is not None:
            with open(path, encoding="utf-8", newline="") as file:
                return Ignore(file.read())
    return Ignore()


def within(folder, name):
    """The regular file that a name leads to, symlinks followed as if the folder were the root of all."""
    links, inside, rest = 0, [], [name]
    while rest:
        part = rest.pop()
        if part == "..":
            inside = inside[:-1]
            continue
        path = os.path.join(folder, *inside, part)
        if not os.path.islink(path):
            if not os.path.lexists(path):
                return None
            inside.append(part)
            continue
        links += 1
        if links > MOST_LINKS:
            return None
        target = os.readlink(path)
        if target.startswith("/"):
            inside = []
        rest += [part for part in reversed(target.split("/")) if part not in ("", ".")]
    path = os.path.join(folder, *inside)
    return path if os.path.isfile(path) else None
