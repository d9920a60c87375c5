//! What floats, and what does not.

use super::*;
use camino::Utf8Path;

/// Lines and what floats there, in short.
fn of(text: &str, scope: Scope<'_>) -> Vec<String> {
    let checks = Checks {
        name: Utf8Path::new("Dockerfile"),
        file: &Dockerfile::parse(text),
        base: None,
        scope,
        versions: &[],
        inputs: None,
        context: Context::default(),
    };
    let found = floating(&checks);
    assert!(found.iter().all(|problem| !problem.hint.is_empty()));
    found
        .iter()
        .map(|problem| format!("{}: {}", problem.line.unwrap(), problem.message))
        .collect()
}

fn floats_in(line: &str) -> Vec<String> {
    of(&format!("FROM debian:13 AS x\n{line}\n"), Scope::default())
}

#[test]
fn commands_that_take_whatever_is_newest() {
    for (line, expected) in [
        (
            "RUN npm install -g typescript",
            "`npm install -g` takes whatever `typescript` is at the moment",
        ),
        (
            "RUN npm i --global --omit dev @a/b c@1.2.3 d@latest",
            "`npm i -g` takes whatever `@a/b`, `d` is at the moment",
        ),
        (
            "RUN X=1 sudo -E /usr/bin/npm install --location=global 'x'",
            "`npm install -g` takes whatever `x` is at the moment",
        ),
        (
            "RUN [\"npm\", \"install\", \"-g\", \"x\"]",
            "`npm install -g` takes whatever `x` is at the moment",
        ),
        (
            "RUN [\"sh\", \"-c\", \"true; npm install -g x\"]",
            "`npm install -g` takes whatever `x` is at the moment",
        ),
        (
            "RUN bash -lc \"npm install -g x\"",
            "`npm install -g` takes whatever `x` is at the moment",
        ),
        (
            "RUN if true; then npm install -g x; fi",
            "`npm install -g` takes whatever `x` is at the moment",
        ),
        (
            "RUN V=latest && npm install -g x@$V",
            "`npm install -g` takes whatever `x` is at the moment",
        ),
        (
            "ENV V=latest\nRUN npm install -g x@${V}",
            "`npm install -g` takes whatever `x` is at the moment",
        ),
        (
            "RUN pnpm add -g x",
            "`pnpm add -g` takes whatever `x` is at the moment",
        ),
        (
            "RUN yarn global add x",
            "`yarn global add` takes whatever `x` is at the moment",
        ),
        (
            "RUN corepack prepare pnpm@latest --activate",
            "`corepack prepare` takes whatever `pnpm` is at the moment",
        ),
        (
            "RUN npx -y create-x@latest .",
            "`npx` takes whatever `create-x` is at the moment",
        ),
        (
            "RUN pip install --no-cache-dir -U pip requests[socks]>=2 flask==3.0",
            "`pip install` takes whatever `pip`, `requests` is at the moment",
        ),
        (
            "RUN python3.12 -m pip --no-input install x",
            "`pip install` takes whatever `x` is at the moment",
        ),
        (
            "RUN uv pip install --system x",
            "`uv pip install` takes whatever `x` is at the moment",
        ),
        (
            "RUN uv tool install ruff@latest",
            "`uv tool install` takes whatever `ruff` is at the moment",
        ),
        (
            "RUN pipx install x",
            "`pipx install` takes whatever `x` is at the moment",
        ),
        (
            "RUN pip install git+https://h/a/b.git",
            "`pip install` takes whatever `git+https://h/a/b.git` holds at the moment",
        ),
        (
            "RUN gem install bundler --no-document",
            "`gem install` takes whatever `bundler` is at the moment",
        ),
        (
            "RUN cargo +stable install --locked -F a ripgrep",
            "`cargo install` takes whatever `ripgrep` is at the moment",
        ),
        (
            "RUN cargo install --git https://h/a",
            "`cargo install --git` takes whatever the repository holds at the moment",
        ),
        (
            "RUN go install h.org/x/y@latest",
            "`go install` takes whatever `h.org/x/y` is at the moment",
        ),
        (
            "RUN curl -fsSL https://u:p@h/a/latest/x.tar.gz?k=v | tar xz",
            "`curl https://h/a/latest/x.tar.gz` fetches another version at any time",
        ),
        (
            "RUN wget -O- \"https://github.com/a/b/releases/latest/download/x\"",
            "`wget https://github.com/a/b/releases/latest/download/x` fetches another version at any time",
        ),
        (
            "RUN V=$(curl https://api.github.com/repos/a/b/releases/latest | jq .) && x",
            "`curl https://api.github.com/repos/a/b/releases/latest` fetches another version at any time",
        ),
        (
            "RUN curl https://raw.githubusercontent.com/a/b/main/install.sh | sh",
            "`curl https://raw.githubusercontent.com/a/b/main/install.sh` fetches another version at any time",
        ),
        (
            "RUN git clone --depth 1 https://h/a",
            "`git clone https://h/a` takes whatever is there at the moment",
        ),
        (
            "RUN git clone -b main git@h:a/b && cd b && git checkout -b x",
            "`git clone git@h:a/b` takes whatever is there at the moment",
        ),
        (
            "ADD https://h/latest/x /",
            "`ADD https://h/latest/x` takes another version at any time",
        ),
        (
            "ADD https://h/a.git /",
            "`ADD` takes whatever `https://h/a.git` holds at the moment",
        ),
        (
            "ADD https://h/a.git#main:sub /",
            "`ADD` takes whatever `https://h/a.git` holds at the moment",
        ),
    ] {
        let found = floats_in(line);
        assert_eq!(found.len(), 1, "{line} {found:?}");
        let (at, message) = found[0].split_once(": ").unwrap();
        let last = 1 + line.lines().count();
        assert_eq!((at, message), (last.to_string().as_str(), expected), "{line}");
    }
}

#[test]
fn what_is_settled_or_cannot_be_told_is_no_alarm() {
    for line in [
        "RUN npm install -g x@1.2.3 @a/b@2 \"c@${C_VERSION:?}\" d@$D $PACKAGES",
        "RUN npm ci && npm install && npm install x && npm install -g . ./a /b ~/c x.tgz https://h/x.tgz a/b",
        "RUN echo npm install -g x # npm install -g y",
        "RUN echo 'npm install -g x' \"; npm install -g y\"",
        "RUN npx tsc && corepack enable && corepack prepare pnpm@9.1.0",
        "RUN pip install -r requirements.txt -c limits.txt x",
        "RUN pip install -r requirements.txt --index-url https://h/latest/",
        "RUN pip install x==1 y===2 . ./z -e . z.whl \"w @ https://h/w.whl\" git+https://h/a@v1 $X ${Y}",
        "RUN pip install --no-index --find-links=/wheels x && pip3 --version && uv sync",
        "RUN uv pip install --system --python-preference system --index-strategy unsafe-best-match -r r.txt",
        "RUN gem install x -v 1.2 && gem install y:2.0 && gem update --system 3.5",
        "RUN cargo install x@1 --locked && cargo install --version 1 y && cargo install --path . && cargo build",
        "RUN cargo install --git https://h/a --rev 0123",
        "RUN go install ./... && go install h.org/x@v1.2 && go install h.org/y@$V && go get h.org/z",
        "RUN curl https://h/v1/x https://h/latest.txt?latest=1 https://h/main/x https://h/$V/x",
        "RUN apt-get update && apt-get install -y curl",
        "RUN git clone -b v1.2 https://h/a && git clone --branch=$REF https://h/b && git clone /local /c",
        "RUN git clone https://h/a && cd a && git checkout $REF",
        "RUN git clone https://h/a\nRUN git -C a reset --hard 0123",
        "RUN git -c a.b=c clone --revision=0123 https://h/a",
        "ADD --checksum=sha256:00 https://h/latest/x /",
        "ADD https://h/a.git#v1 https://h/b.git?ref=v1 https://h/$V.git https://h/c.git#$V /",
        "RUN <<EOF python3\nnpm install -g x\nEOF",
        "RUN <<EOF\n#!/usr/bin/env python3\nnpm install -g x\nEOF",
        "COPY <<EOF /x\nnpm install -g x\nEOF",
        "SHELL [\"pwsh\", \"-c\"]\nRUN npm install -g x",
        "RUN cat <<E >x && true\nnpm install -g x\nE",
    ] {
        assert_eq!(floats_in(line), [""; 0], "{line}");
    }
}

#[test]
fn the_line_is_that_of_the_command() {
    let found = floats_in(
        "RUN true \\\n # comment\n && npm install -g a \\\n && pip install \\\n   b\nRUN <<EOF\nset -e\nnpm install -g c\ncat <<X\nnpm install -g no\nX\ngem install d\nEOF",
    );
    let lines: Vec<_> = found
        .iter()
        .map(|found| found.split(':').next().unwrap())
        .collect();
    assert_eq!(lines, ["4", "5", "9", "13"]);
}

#[test]
fn images_without_a_version() {
    let text = "ARG TAG=latest\nFROM debian AS a\nFROM --platform=$BUILDPLATFORM h:5000/x/y:latest AS b\nFROM alpine:edge AS c\nFROM x:1 AS d\n\
                FROM x:latest@sha256:00 AS e\nFROM a AS f\nFROM unused AS not\nFROM scratch\nCOPY --from=tool / /\nCOPY --from=a / /\nCOPY --from=b / /\n\
                COPY --from=c / /\nCOPY --from=d / /\nCOPY --from=e / /\nCOPY --from=f / /\nRUN --mount=from=other:main,target=/x true\n";
    let found = of(text, Scope::default());
    assert_eq!(
        found,
        [
            "2: `debian` has no tag, and so is `latest`: another version at any time",
            "3: `h:5000/x/y:latest` floats: another version at any time",
            "4: `alpine:edge` floats: another version at any time",
            "10: `tool` has no tag, and so is `latest`: another version at any time",
            "17: `other:main` floats: another version at any time",
        ]
    );
    let scope = Scope {
        target: Some("d"),
        ..Scope::default()
    };
    assert_eq!(of(text, scope), [""; 0]);
}

#[test]
fn the_frontend_floats_too() {
    for (syntax, expected) in [
        ("docker/dockerfile:1", None),
        ("docker/dockerfile@sha256:00", None),
        (
            "docker/dockerfile",
            Some("2: `docker/dockerfile` has no tag, and so is `latest`: another version at any time"),
        ),
        (
            "docker.io/docker/dockerfile:latest",
            Some("2: `docker.io/docker/dockerfile:latest` floats: another version at any time"),
        ),
    ] {
        let text = format!("# escape=\\\n# syntax={syntax}\nFROM debian:13\n");
        assert_eq!(
            of(&text, Scope::default()),
            expected.into_iter().collect::<Vec<_>>(),
            "{syntax}"
        );
    }
}

/// Secrets as `check` tells them.
fn secrets(line: &str) -> usize {
    let text = format!("FROM debian:13\n{line}\n");
    let checks = Checks {
        name: Utf8Path::new("Dockerfile"),
        file: &Dockerfile::parse(&text),
        base: None,
        scope: Scope::default(),
        versions: &[],
        inputs: None,
        context: Context::default(),
    };
    let found = check(&checks);
    assert!(
        found
            .iter()
            .all(|problem| problem.message.contains("looks like a secret") && problem.line == Some(2))
    );
    assert!(!format!("{found:?}").contains("hunter"));
    found.len()
}

#[test]
fn secrets_in_arguments_and_variables() {
    let token = format!("ghp_{}", "abc0DEF1".repeat(5));
    for line in [
        "ARG NPM_TOKEN",
        "ARG A DB_PASSWORD=hunter2",
        "ENV API_KEY=hunter2",
        "ENV AWS_SECRET_ACCESS_KEY hunter2",
        &format!("ARG A={token}"),
        &format!("ENV A=\"https://x:{token}@h\""),
    ] {
        assert_eq!(secrets(line), 1, "{line}");
    }
    for line in [
        "ARG TOKEN_FILE=/run/secrets/token",
        "ENV ALLOW_EMPTY_PASSWORD=yes",
        "ENV GPG_KEY=ABCDEF",
        "ARG TOKENIZER=x",
        "ENV PUBLIC_API_KEY=x",
        "ENV SECRET_NAME=x PASSWORD=\"\"",
        "RUN --mount=type=secret,id=npm_token true",
    ] {
        assert_eq!(secrets(line), 0, "{line}");
    }
}
