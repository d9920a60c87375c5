//! `status`: what the tags point at, and what a release now would do.

use super::args::StatusArgs;
use super::failure::Failure;
use super::history;
use super::session::Session;
use crate::config::Family;
use crate::domain::{ExitCode, ImageId, Platform};
use crate::facts::{BuilderFacts, ImageStore};
use crate::gather::{gather_status, gather_without_builder};
use crate::plan::{Action, Goal, Options, PlanImage, plan};
use crate::report::{self, Status, StatusAlias, StatusNow, StatusRelease};
use crate::target::Place;
use serde_json::json;
use std::time::Duration;

/// How long version sources and registries may take to say what a release now would do.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(session: &Session, args: &StatusArgs) -> Result<ExitCode, Failure> {
    let family = session.family()?;
    let target = session.target(&family, &session.asked_target())?;
    let history = async {
        if args.all {
            history::rows(&family, &target).await.map(Some)
        } else {
            Ok(None)
        }
    };
    let standing = async { Ok::<_, Failure>(gather_status(&family, &target).await?) };
    let now = async { Ok::<_, Failure>(now(session, &family, &target).await) };
    let (facts, mut now, rows) = tokio::try_join!(standing, now, history)?;
    let newest = facts.newest.as_ref();
    for image in now.iter_mut().flatten() {
        let released = newest.iter().flat_map(|newest| &newest.images);
        let mut released = released.filter(|released| released.image == image.image);
        image.released = released.next().map(|released| released.identity);
    }
    let aliases = facts.aliases.iter().map(|(alias, image)| {
        let digest = facts.tags.get(alias).copied();
        let point = newest.and_then(|newest| newest.points.get(alias));
        let known = point.filter(|point| Some(point.digest) == digest);
        let note = match (digest, point, known) {
            (None, Some(point), _) => Some(format!("gone: {} put it at {}", point.version, point.digest)),
            (Some(_), Some(point), None) => Some(format!(
                "moved by somebody else: {} put it at {}",
                point.version, point.digest
            )),
            (Some(_), None, _) => Some("no record says which release this is".to_owned()),
            _ => None,
        };
        let images = now.as_ref().ok();
        let image_now = images.and_then(|images| images.iter().find(|now| now.image == *image));
        StatusAlias {
            alias: alias.clone(),
            image: image.clone(),
            digest,
            // What is built anew, and what is joined anew, has another digest.
            moves: image_now.map(|now| now.digest.is_none() || now.digest != digest),
            version: known.map(|point| point.version.clone()),
            note,
        }
    });
    let aliases = aliases.collect();
    let status = Status {
        repository: family.repository.clone(),
        target: session.asked_target(),
        newest: newest.map(|newest| StatusRelease {
            version: newest.version.clone(),
            state: newest.state,
            updated: newest.updated,
        }),
        aliases,
        now,
    };
    for collision in &facts.collisions {
        session.warn(
            &[vec![collision.to_string()], collision.hints()]
                .concat()
                .join("; "),
        );
    }
    if session.is_json() {
        let warnings: Vec<_> = facts.collisions.iter().map(ToString::to_string).collect();
        let aliases: Vec<_> = status
            .aliases
            .iter()
            .map(|alias| json!({"alias": alias.alias, "image": alias.image, "digest": alias.digest, "version": alias.version, "moves": alias.moves, "note": alias.note}))
            .collect();
        let newest = newest.map(
            |newest| json!({"version": newest.version, "state": newest.state, "updated": newest.updated}),
        );
        let (images, unknown) = match &status.now {
            Ok(images) => (images.as_slice(), None),
            Err(reason) => (&[][..], Some(reason)),
        };
        let images: Vec<_> = images
            .iter()
            .map(|image| json!({"image": image.image, "identity": image.identity, "released": image.released, "builds": image.builds, "tests": image.tests}))
            .collect();
        let mut document = json!({"schema": 1, "repository": status.repository, "target": status.target, "newest": newest, "aliases": aliases, "warnings": warnings, "images": images, "unknown": unknown});
        if let (Some(rows), Some(fields)) = (rows, document.as_object_mut()) {
            fields.insert("releases".to_owned(), json!(history::documents(&rows)));
        }
        session.json(&document)?;
    } else {
        session.stdout.write(&report::status(&status));
        if let Some(rows) = rows.filter(|rows| !rows.is_empty()) {
            session.stdout.write("\n");
            session.stdout.write(&report::history(&rows));
        }
    }
    Ok(ExitCode::Done)
}

/// What a release of the sources as they are would do; why that is not known otherwise. Starts no docker, and changes nothing.
async fn now(session: &Session, family: &Family, target: &Place) -> Result<Vec<StatusNow>, String> {
    let looked = tokio::time::timeout(PATIENCE, looked(session, family, target)).await;
    looked.unwrap_or_else(|_| Err(format!("not all was answered within {} s", PATIENCE.as_secs())))
}

async fn looked(session: &Session, family: &Family, target: &Place) -> Result<Vec<StatusNow>, String> {
    let told = |messages: Vec<(String, Vec<String>)>| {
        let messages: Vec<String> = messages.into_iter().map(|(message, _)| message).collect();
        messages.join("; ")
    };
    let pins = session.pins(family, false).map_err(|failure| failure.line())?;
    let options = Options {
        goal: Goal::Test,
        ..session.options()
    };
    let world = session.world(family, target);
    let mut facts = gather_without_builder(family, &options, &pins, &world)
        .await
        .map_err(|error| told(error.messages()))?;
    // Nobody was asked what can be built here: what a release would want to build is asked for.
    facts.builder = Some(BuilderFacts {
        name: "any".to_owned(),
        driver: "any".to_owned(),
        store: ImageStore::None,
        buildkit: String::new(),
        buildx: String::new(),
        engine: String::new(),
        platforms: family
            .images
            .iter()
            .flat_map(|image| image.platforms.clone())
            .collect(),
    });
    let plan = plan(family, &facts, &options).map_err(|error| error.to_string())?;
    let of = |image: &PlanImage, wanted: fn(&Action) -> Option<(&ImageId, &Platform)>| {
        let steps = plan.steps.iter().filter_map(|step| wanted(&step.action));
        steps
            .filter(|(id, _)| **id == image.image)
            .map(|(_, platform)| platform.clone())
            .collect()
    };
    let images = plan.images.iter().map(|image| StatusNow {
        image: image.image.clone(),
        identity: image.identity,
        released: None,
        digest: image.digest,
        builds: of(image, |action| match action {
            Action::Build(step) => Some((&step.image, &step.platform)),
            _ => None,
        }),
        tests: of(image, |action| match action {
            Action::Smoke(step) => Some((&step.image, &step.platform)),
            _ => None,
        }),
    });
    Ok(images.collect())
}
