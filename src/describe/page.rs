//! A page from its template: pure.

use super::template::{PageTemplate, Part, Placeholder};
use crate::config::{Family, Image, VersionSource};
use crate::domain::{ByteSize, ImageId, Platform};
use crate::record::Record;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What stands in a table's place before there is a release.
pub(super) const NO_RELEASE: &str = "No release yet.";
/// What stands in the place of a table that would have no row.
pub(super) const NO_ROWS: &str = "None.";
/// What stands in a line before there is a release.
const NONE_YET: &str = "(none yet)";

/// A release as a page shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Released {
    /// Its record.
    pub record: Record,
    /// Bytes to download for each platform image: the sum of its compressed layers.
    pub sizes: BTreeMap<(ImageId, Platform), u64>,
}

/// The page; `None` is a family without a release.
#[must_use]
pub fn render(template: &PageTemplate, family: &Family, released: Option<&Released>) -> String {
    let mut page = String::new();
    for part in &template.parts {
        match part {
            Part::Text(text) => page.push_str(text),
            Part::Value(placeholder) => page.push_str(&value(placeholder, family, released)),
        }
    }
    page
}

/// What a placeholder stands for. Tables have no line end after their last row.
pub(super) fn value(placeholder: &Placeholder, family: &Family, released: Option<&Released>) -> String {
    match placeholder {
        Placeholder::Family => family.name.clone(),
        Placeholder::Repository => docker_name(&family.repository.to_string()),
        Placeholder::Platforms => platforms(&family.platforms),
        Placeholder::Variants => variants(family),
        Placeholder::Sources => sources(family),
        _ => match released {
            Some(released) => of_release(placeholder, released),
            None if placeholder.is_table() => NO_RELEASE.to_owned(),
            None => NONE_YET.to_owned(),
        },
    }
}

fn of_release(placeholder: &Placeholder, released: &Released) -> String {
    let record = &released.record;
    match placeholder {
        Placeholder::Version => record.version.to_string(),
        Placeholder::Date => record.updated.strftime("%Y-%m-%d").to_string(),
        Placeholder::VersionOf(name) => record.versions.get(name).map_or_else(
            || "not in this release".to_owned(),
            |resolved| resolved.version.clone(),
        ),
        Placeholder::Versions => table(
            &["name", "version", "from"],
            record
                .versions
                .iter()
                .map(|(name, resolved)| vec![code(name), code(&resolved.version), resolved.source.clone()]),
        ),
        Placeholder::Tags => table(
            &["image", "tags", "digest"],
            record.images.iter().filter_map(|image| {
                let tags: Vec<_> = image
                    .tags
                    .iter()
                    .chain(&image.aliases)
                    .map(|tag| code(&tag.to_string()))
                    .collect();
                (!tags.is_empty()).then(|| {
                    let digest = image
                        .digest
                        .map(|digest| code(&digest.to_string()))
                        .unwrap_or_default();
                    vec![shown(&image.image), tags.join(", "), digest]
                })
            }),
        ),
        Placeholder::Digests => platform_table(record, "digest", |_, platform| {
            Some(code(&platform.digest.to_string()))
        }),
        Placeholder::Sizes => platform_table(record, "download", |image, platform| {
            let bytes = released.sizes.get(&(image.clone(), platform.platform.clone()))?;
            Some(ByteSize(*bytes).to_string())
        }),
        Placeholder::Family
        | Placeholder::Repository
        | Placeholder::Platforms
        | Placeholder::Variants
        | Placeholder::Sources => String::new(),
    }
}

/// Without the host that docker adds by itself.
fn docker_name(repository: &str) -> String {
    let short = repository.strip_prefix("docker.io/").unwrap_or(repository);
    short.strip_prefix("library/").unwrap_or(short).to_owned()
}

/// A variant may be called `base` too.
fn shown(image: &ImageId) -> String {
    match image {
        ImageId::Base => "(the base)".to_owned(),
        ImageId::Variant(name) => name.to_string(),
    }
}

fn platforms(platforms: &[Platform]) -> String {
    let platforms: Vec<_> = platforms.iter().map(ToString::to_string).collect();
    platforms.join(", ")
}

fn variants(family: &Family) -> String {
    let rows = family.images.iter().filter(|image| image.id != ImageId::Base);
    table(
        &["variant", "release tags", "aliases", "platforms"],
        rows.map(|image| {
            vec![
                image.id.name().to_owned(),
                names(family, image, &image.tags),
                names(family, image, &image.aliases),
                platforms(&image.platforms),
            ]
        }),
    )
}

/// Tags as the configuration has them: what only a release fills in stands in capitals.
fn names(family: &Family, image: &Image, templates: &[crate::config::Template]) -> String {
    let fill = |name: &str| {
        Some(match name {
            "variant" => image.id.name().to_owned(),
            "image" => image.id.dashed(),
            "family" => family.name.clone(),
            other => other.to_uppercase(),
        })
    };
    let names: Vec<_> = templates
        .iter()
        .filter_map(|template| template.render(fill).ok())
        .map(|name| code(&name))
        .collect();
    names.join(", ")
}

fn sources(family: &Family) -> String {
    table(
        &["name", "from"],
        family.versions.iter().map(|(name, source)| {
            let source = match source {
                VersionSource::Npm { package, range } => format!("npm, {} {}", code(package), code(range)),
                VersionSource::Git { url, reference } => format!("git, {} of {url}", code(reference)),
                VersionSource::Command { command, .. } => format!("command, {}", code(&command.join(" "))),
                VersionSource::Value { value } => code(value),
            };
            vec![code(name), source]
        }),
    )
}

fn platform_table(
    record: &Record,
    heading: &str,
    cell: impl Fn(&ImageId, &crate::record::RecordPlatform) -> Option<String>,
) -> String {
    // The base is no image that users run, unless it has a name of its own.
    let images = record
        .images
        .iter()
        .filter(|image| !image.tags.is_empty() || !image.aliases.is_empty());
    let rows = images.flat_map(|image| {
        let cell = &cell;
        image.platforms.iter().map(move |platform| {
            let value = cell(&image.image, platform).unwrap_or_else(|| "not known".to_owned());
            vec![shown(&image.image), platform.platform.to_string(), value]
        })
    });
    table(&["image", "platform", heading], rows)
}

/// Text in backticks, which no placeholder's value holds.
fn code(text: &str) -> String {
    format!("`{text}`")
}

/// A Markdown table; `None.` where it would have no row.
fn table(headings: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = format!(
        "| {} |\n|{}",
        headings.join(" | "),
        " --- |".repeat(headings.len())
    );
    let mut empty = true;
    for row in rows {
        let cells: Vec<_> = row.iter().map(|cell| in_cell(cell)).collect();
        let _ = write!(table, "\n| {} |", cells.join(" | "));
        empty = false;
    }
    if empty {
        return NO_ROWS.to_owned();
    }
    table
}

/// What a version source answers may hold anything: it must not end its cell, nor its line.
fn in_cell(text: &str) -> String {
    let shown = text.chars().filter(|c| !c.is_control()).collect::<String>();
    shown.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::given::{DESCRIBED, Given, family};
    use crate::versions::Resolved;

    fn all(released: Option<&Released>) -> String {
        let text = Placeholder::ALL.map(|(name, _)| format!("## {name}\n{{splitbase.{name}}}\n"));
        let text = format!("{}PI is {{splitbase.versions.PI}}.\n", text.concat());
        let versions = "\n[versions]\nPI = { npm = \"@acme/pi\", range = \"^2\" }\nREF = { git = \"https://git.example/x\", ref = \"main\" }\n[base.build]\n";
        let family = family(&format!("{DESCRIBED}{versions}"));
        let template = PageTemplate::parse(&text, &["PI", "REF"]).unwrap();
        render(&template, &family, released)
    }

    #[test]
    fn a_page_of_a_release() {
        let plan = Given::new(DESCRIBED).with_all().plan();
        let mut record = plan.record.clone().unwrap();
        record.updated = jiff::Timestamp::from_second(1_700_000_000).unwrap();
        let resolved = |version: &str| Resolved {
            version: version.to_owned(),
            source: "npm:@acme/pi | odd\nline".to_owned(),
            warnings: Vec::new(),
        };
        record.versions = [("PI".to_owned(), resolved("2.1.0"))].into();
        let sizes = record.images.iter().flat_map(|image| {
            let platforms = image.platforms.iter().map(move |platform| (image, platform));
            platforms.map(|(image, platform)| (image.image.clone(), platform.platform.clone()))
        });
        let mut sizes: BTreeMap<_, _> = sizes.map(|key| (key, 1_234_567)).collect();
        sizes.pop_last();
        insta::assert_snapshot!(all(Some(&Released { record, sizes })), @r#"
        ## family
        devbox
        ## repository
        registry.example.org/acme/devbox
        ## platforms
        linux/amd64, linux/arm64
        ## variants
        | variant | release tags | aliases | platforms |
        | --- | --- | --- | --- |
        | core | `VERSION` | `latest`, `MAJOR.MINOR` | linux/amd64, linux/arm64 |
        | omos | `VERSION-omos` | `latest-omos` | linux/amd64, linux/arm64 |
        ## sources
        | name | from |
        | --- | --- |
        | `PI` | npm, `@acme/pi` `^2` |
        | `REF` | git, `main` of https://git.example/x |
        ## version
        v1.0.0
        ## date
        2023-11-14
        ## versions
        | name | version | from |
        | --- | --- | --- |
        | `PI` | `2.1.0` | npm:@acme/pi \| oddline |
        ## tags
        | image | tags | digest |
        | --- | --- | --- |
        | (the base) | `base-latest` | `sha256:039385d641288002b162e38f6c73decb5e8e44214b9d18b73c53d3bbefe53249` |
        | core | `v1.0.0`, `latest`, `1.0` | `sha256:d8cf4648de281a5117f25967743f273dcd30f97dc4e7a96e2721a8ceab95341b` |
        | omos | `v1.0.0-omos`, `latest-omos` | `sha256:84ad5058b33b663800f0f21f4d63409647da92787099c5324aaa9ed347f4ef7e` |
        ## digests
        | image | platform | digest |
        | --- | --- | --- |
        | (the base) | linux/amd64 | `sha256:fbdaf4d07f2f372e5fe36ee1d180bfacf130016b249d02b5da7cb31e0d893a44` |
        | (the base) | linux/arm64 | `sha256:5f3d19e0e8c4b4950e2ad782a85a979b4b49cb4c5857b36e4e3ae32091982856` |
        | core | linux/amd64 | `sha256:574ea9ef0d14bc40a68d4cd1c598a042feec0a834a88e0103e79fe5ca571cb39` |
        | core | linux/arm64 | `sha256:85225ed7db6c9e41634c30181ce0d967ee65cebbdf23606d83b504a9de850c40` |
        | omos | linux/amd64 | `sha256:fbcfc68584811824bf1706a32a6d44590d08fdc26b2ad69c099d773382dc250d` |
        | omos | linux/arm64 | `sha256:be980891ccabb14b5aea140005420492e2dcd6bf950d0466def62aa868878c74` |
        ## sizes
        | image | platform | download |
        | --- | --- | --- |
        | (the base) | linux/amd64 | 1.23MB |
        | (the base) | linux/arm64 | 1.23MB |
        | core | linux/amd64 | 1.23MB |
        | core | linux/arm64 | 1.23MB |
        | omos | linux/amd64 | 1.23MB |
        | omos | linux/arm64 | not known |
        PI is 2.1.0.
        "#);
    }

    #[test]
    fn a_page_before_the_first_release() {
        insta::assert_snapshot!(all(None), @r#"
        ## family
        devbox
        ## repository
        registry.example.org/acme/devbox
        ## platforms
        linux/amd64, linux/arm64
        ## variants
        | variant | release tags | aliases | platforms |
        | --- | --- | --- | --- |
        | core | `VERSION` | `latest`, `MAJOR.MINOR` | linux/amd64, linux/arm64 |
        | omos | `VERSION-omos` | `latest-omos` | linux/amd64, linux/arm64 |
        ## sources
        | name | from |
        | --- | --- |
        | `PI` | npm, `@acme/pi` `^2` |
        | `REF` | git, `main` of https://git.example/x |
        ## version
        (none yet)
        ## date
        (none yet)
        ## versions
        No release yet.
        ## tags
        No release yet.
        ## digests
        No release yet.
        ## sizes
        No release yet.
        PI is (none yet).
        "#);
    }

    #[test]
    fn a_page_is_what_it_is_compared_with() {
        let plan = Given::new(DESCRIBED).with_all().plan();
        let released = Released {
            record: plan.record.clone().unwrap(),
            sizes: BTreeMap::new(),
        };
        let text = Placeholder::ALL
            .map(|(name, _)| format!("{name}\n{{splitbase.{name}}}\n{name} {{splitbase.{name}}}\n"));
        let template = PageTemplate::parse(&text.concat(), &[]).unwrap();
        let family = family(DESCRIBED);
        for released in [Some(&released), None] {
            let page = render(&template, &family, released);
            assert_eq!(
                crate::describe::difference(&template, &family, &page),
                None,
                "{page}"
            );
        }
    }
}
