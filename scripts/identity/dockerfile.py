"""Dockerfiles, as far as identities need them: what cannot be known of one, and which images from outside it names."""

import json
import re

from identity.ignore import WHITE, Unknown

BLANKS = "\t\v\f\r "
INSTRUCTIONS = {
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "RUN",
    "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}
FLAGS = {
    "ADD": {"checksum", "chmod", "chown", "exclude", "keep-git-dir", "link", "unpack"},
    "COPY": {"chmod", "chown", "exclude", "from", "link", "parents"},
    "FROM": {"platform"},
    "RUN": {"device", "mount", "network", "security"},
}
MOUNTS = {"bind", "cache", "secret", "ssh", "tmpfs"}
JSON = {"ADD", "COPY", "RUN", "CMD", "ENTRYPOINT", "SHELL", "VOLUME"}
HEREDOC = re.compile(r"[0-9]*<<(-?)(['\"]?)([A-Za-z0-9_.]+)\2")
PLATFORM_ARGS = {side + part for side in ("TARGET", "BUILD") for part in ("PLATFORM", "OS", "ARCH", "VARIANT")}


class Malformed(Exception):
    """A word whose form is not known."""


def expand(word, escape, lookup):
    """The word with variables filled in and quotes taken away; `lookup` has None for what is not set."""
    at = 0

    def take():
        nonlocal at
        if at >= len(word):
            raise Malformed
        at += 1
        return word[at - 1]

    def until(stop):
        nonlocal at
        out = ""
        while at < len(word):
            char = take()
            if char == stop:
                return out
            if char == "'":
                while (char := take()) != "'":
                    out += char
            elif char == '"':
                while (char := take()) != '"':
                    if char == "$":
                        out += variable()
                    elif char == escape and word[at:at + 1] in ('"', "$", escape):
                        out += take()
                    else:
                        out += char
            elif char == "$":
                out += variable()
            elif char == escape:
                out += word[at:at + 1]
                at += 1
            else:
                out += char
        if stop:
            raise Malformed
        return out

    def variable():
        nonlocal at
        if word[at:at + 1] != "{":
            found = name()
            return lookup(found) or "" if found else "$"
        at += 1
        if word[at:at + 1] in ("", "{", "}", ":"):
            raise Malformed
        value = lookup(name())
        char = take()
        if char == "}":
            return value or ""
        colon = char == ":"
        char = take() if colon else char
        there = value is not None and not (colon and value == "")
        if char in "#%/" and not colon:
            raise Unknown(f"`{word}`: this form of variable is not known here")
        if char not in "-+?":
            raise Malformed
        other = until("}")
        if char == "+":
            return other if there else ""
        if char == "?" and not there:
            raise Malformed
        return value if there else other if char == "-" else ""

    def name():
        nonlocal at
        found = re.compile(r"[@*#?$!-]|\d+|\w+").match(word, at)
        at = found.end() if found else at
        return found[0] if found else ""

    return until(None)


def quoted_words(text, escape):
    """Words that blanks set apart, but for those in quotes or behind an escape; both stay."""
    words, word, quote, at = [], "", None, 0
    while at < len(text):
        char = text[at]
        at += 1
        if quote is None and char in WHITE:
            words.append(word)
            word = ""
            continue
        if quote is None and char in "\"'":
            quote = char
        elif char == quote:
            quote = None
        if char == escape and quote != "'":
            char = text[at - 1:at + 1] if at < len(text) else ""
            at += 1
        word += char
    return [word for word in words + [word] if word]


class Instruction:
    def __init__(self, text, escape):
        text = text.strip(WHITE)
        found = re.match(r"[^\t\v\f\r ]*", text)
        self.keyword, self.escape, self.flags = found[0].upper(), escape, []
        rest = text[found.end():].lstrip(WHITE)
        while rest.startswith("--"):
            word, quote, at = "", None, 0
            while at < len(rest) and (quote or rest[at] not in WHITE):
                char = rest[at]
                if char == escape:
                    at += 1
                    word += rest[at:at + 1]
                elif quote is None and char in "\"'":
                    quote = char
                elif char == quote:
                    quote = None
                else:
                    word += char
                at += 1
            rest = rest[at:].lstrip(WHITE)
            if word == "--":
                break
            name, _, value = word[2:].partition("=")
            self.flags.append((name, value))
        self.text = rest

    def flag(self, name):
        return next((value for flag, value in self.flags if flag == name), None)

    def json(self):
        if self.keyword not in JSON or not self.text.startswith("["):
            return None
        try:
            words = json.loads(self.text)
        except ValueError:
            return None
        return words if all(isinstance(word, str) for word in words) else None

    def words(self):
        if self.keyword in ("ARG", "ENV", "LABEL"):
            return quoted_words(self.text, self.escape)
        words = self.json()
        return [word for word in re.split(r"[\t\v\f\r ]+", self.text) if word] if words is None else words

    def sets(self, valued):
        """The names that an `ARG` or `ENV` gives values; `valued` are those that an `ARG` needs no default for."""
        words = self.words()
        if self.keyword == "ENV" and words and "=" not in words[0]:
            return {words[0]}
        return {word.partition("=")[0] for word in words if "=" in word or (self.keyword == "ARG" and word in valued)}

    def trigger(self):
        return Instruction(self.text, self.escape) if self.keyword == "ONBUILD" else None

    def mounts(self):
        """The mounts of a `RUN`; of a key, its last value."""
        for name, value in self.flags:
            if name == "mount" and self.keyword == "RUN":
                if '"' in value:
                    raise Unknown(f"a quote in `--mount={value}` is not known here")
                pairs = (field.partition("=") for field in value.split(","))
                yield {key.lower(): given for key, _, given in pairs}

    def from_context(self):
        """What it takes from the main context, as written."""
        if self.keyword in ("COPY", "ADD") and self.flag("from") is None:
            return [word for word in self.words()[:-1] if not HEREDOC.fullmatch(word)]
        binds = (mount for mount in self.mounts() if mount.get("type", "bind").lower() == "bind" and not mount.get("from"))
        return [mount.get("source", mount.get("src", "/")) for mount in binds]


class Dockerfile:
    def __init__(self, text):
        self.syntax, self.escape, self.instructions, self.odd = None, "\\", [], False
        if text.startswith("#!"):
            raise Unknown("a Dockerfile that begins with `#!`")
        lines = [line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n")]
        self.lines, self.at = lines, 0
        self.directives()
        while self.at < len(lines):
            whole = self.next().lstrip(WHITE)
            if self.blank(whole):
                continue
            while self.continued(whole):
                whole = whole.rstrip(" \t")[:-1]
                while self.at < len(lines) and self.blank(lines[self.at]):
                    self.at += 1
                if self.at == len(lines):
                    break
                following = self.next()
                # Only the end of what comes now can go on.
                if not self.continued(following):
                    whole += following
                    break
                whole += following.rstrip(" \t")[:-1] + self.escape
            if whole.strip(WHITE):
                instruction = Instruction(whole, self.escape)
                self.heredocs(instruction.trigger() or instruction, whole)
                self.instructions.append(instruction)

    def next(self):
        self.at += 1
        return self.lines[self.at - 1]

    @staticmethod
    def blank(line):
        line = line.lstrip(WHITE)
        return not line or line.startswith("#")

    def continued(self, line):
        line = line.rstrip(" \t")
        return line.endswith(self.escape) and not line.endswith(self.escape * 2)

    def directives(self):
        seen = set()
        while self.at < len(self.lines):
            found = re.fullmatch(r"\s*#\s*(syntax|escape|check)\s*=\s*(\S.*?)\s*", self.lines[self.at], re.IGNORECASE | re.ASCII)
            if not found:
                return
            name, value = found[1].lower(), found[2]
            self.odd = self.odd or name in seen or (name == "escape" and value not in ("`", "\\"))
            if name == "escape" and value in ("`", "\\"):
                self.escape = value
            if name == "syntax" and self.syntax is None:
                self.syntax = value.split(" ")[0]
            seen.add(name)
            self.at += 1

    def heredocs(self, instruction, whole):
        if "<<" not in whole or instruction.keyword not in ("RUN", "COPY", "ADD") or instruction.json() is not None:
            return
        names = []
        for word in whole.split():
            found = HEREDOC.fullmatch(word)
            if found:
                names.append((found[1], found[3]))
            elif "<<" in word:
                raise Unknown(f"a heredoc of another form, `{word}`, is not known here")
        before = re.sub(HEREDOC, "", whole[:whole.rindex("<<")] + "<<x")
        if re.search(r"[\"'`\\]|\$\{", before):
            raise Unknown("a heredoc behind quotes, braces or escapes is not known here")
        for chomp, name in names:
            ended = False
            while self.at < len(self.lines) and not ended:
                line = self.next()
                ended = (line.lstrip("\t") if chomp else line) == name
            self.odd = self.odd or not ended


class Stage:
    def __init__(self, name, word, base, replaced, triggers):
        self.name, self.word, self.base, self.replaced, self.triggers = name, word, base, replaced, triggers
        # What it carries out: the triggers of what it is built on, and its own instructions.
        self.commands = list(triggers)

    def onbuild(self):
        return [trigger for trigger in map(Instruction.trigger, self.commands) if trigger]


def global_args(file, args, base_arg=None):
    """The values that `FROM` sees."""
    values = {}
    for instruction in file.instructions:
        if instruction.keyword == "FROM":
            break
        for word in instruction.words() if instruction.keyword == "ARG" else []:
            name, has_default, default = word.partition("=")
            if name in args or name == base_arg:
                values[name] = args.get(name, "")
            elif has_default:
                values[name] = expand(default, file.escape, values.get)
    return values


def familiar(name):
    name = re.sub(r"^(docker\.io/|index\.docker\.io/)", "", name)
    return name.removeprefix("library/").removesuffix(":latest").lower()


def stages_of(file, lookup, contexts=(), base_arg=None, triggers=()):
    """The stages. The base of one: the number of a stage, `scratch`, `family`, or `outside`."""
    found, names, named = [], {}, {familiar(context) for context in contexts}
    for instruction in file.instructions:
        if instruction.keyword != "FROM":
            if found:
                found[-1].commands.append(instruction)
            continue
        words = instruction.words()
        word = words[0] if words else ""
        name = words[2].lower() if len(words) == 3 and words[1].lower() == "as" else None
        replaced, asked = name is not None and familiar(name) in named, set()

        def value(of):
            asked.add(of)
            return lookup(of)
        base, inherited = "outside", []
        if not replaced:
            try:
                image = expand(word, file.escape, value)
            except Malformed:
                image = ""
            if base_arg in asked:
                base, inherited = "family", list(triggers)
            elif image.lower() in names:
                base = names[image.lower()]
                inherited = found[base].onbuild()
            elif image == "scratch":
                base = "scratch"
        found.append(Stage(name, word, base, replaced, inherited))
        if name is not None:
            names[name] = len(found) - 1
    return found


def triggers_of(file, target):
    """What an image has those do that are built on it."""
    stages = stages_of(file, global_args(file, {}).get)
    named = [stage for stage in stages if target and stage.name == target.lower()]
    if target and target.isdigit() and not named:
        named = stages[int(target):int(target) + 1]
    last = (named or stages)[-1:]
    return last[0].onbuild() if last else []


def unclear(file, given):
    """Whether it holds what cannot be known, so that the whole context counts; `given` are the names of the arguments that the build gets."""
    syntax = re.sub(r"[@:].*", "", (file.syntax or "docker/dockerfile").removeprefix("docker.io/"), flags=re.DOTALL)
    if file.odd or syntax not in ("docker/dockerfile", "docker/dockerfile-upstream"):
        return True
    for instruction in file.instructions:
        instruction = instruction.trigger() or instruction
        if instruction.keyword not in INSTRUCTIONS:
            return True
        if any(name not in FLAGS.get(instruction.keyword, {name}) for name, _ in instruction.flags):
            return True
        if any(mount.get("type", "bind").lower() not in MOUNTS for mount in instruction.mounts()):
            return True
    try:
        values = global_args(file, {})
    except Malformed as error:
        raise Unknown("an `ARG` of another form") from error
    valued = PLATFORM_ARGS | set(given) | set(values)
    # Of each stage: what is known at its end, and whether it stands on an image from elsewhere.
    ends = []
    for stage in stages_of(file, values.get):
        known, outside = ends[stage.base] if isinstance(stage.base, int) else (set(), stage.base != "scratch")
        known = set(known)
        for command in stage.commands:
            if command.keyword in ("ARG", "ENV"):
                known |= command.sets(valued)
            for word in command.from_context():
                asked = set()

                def value(of):
                    asked.add(of)
                    return "x"
                try:
                    expand(word, command.escape, value)
                except Malformed:
                    return True
                if outside and asked - known:
                    return True
        ends.append((known, outside))
    return False


def images_of(file, args, contexts, base_arg, triggers):
    """References of images from outside."""
    found = set()
    try:
        values = global_args(file, args, base_arg)
    except Malformed as error:
        raise Unknown("an `ARG` of another form") from error

    def lookup(name):
        if name not in values:
            raise Unknown(f"`{name}` has no value")
        return values[name]
    named = {familiar(context) for context in contexts}
    before = []

    def refer(image, is_copy):
        if "$" in image:
            raise Unknown(f"`{image}` has a form that is not known here")
        number = is_copy and image.isdigit() and int(image) < len(before)
        if image and not number and image.lower() not in before and image != "scratch" and "@" not in image and familiar(image) not in named:
            found.add(image)

    for stage in stages_of(file, lookup, contexts, base_arg, triggers):
        if not stage.replaced and stage.base == "outside":
            refer(expand(stage.word, file.escape, lookup), False)
        before.append(stage.name)
        for command in stage.commands:
            if command.keyword == "COPY" and command.flag("from") is not None:
                refer(command.flag("from"), True)
            for mount in command.mounts():
                refer(mount.get("from", ""), False)
    return found
