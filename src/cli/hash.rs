//! `hash`: identities, and what counts in them. Offline, unless it is told to ask.

use super::args::HashArgs;
use super::failure::Failure;
use super::session::Session;
use crate::config::{Family, HashFormat};
use crate::domain::{ExitCode, IdentityTags, Period};
use crate::gather::{self, HashedImage};
use crate::inputs::InputEntry;
use crate::inputs::dockerfile::Problem;
use serde::Serialize;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    images: Vec<ImageDocument<'a>>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct ImageDocument<'a> {
    image: &'a crate::domain::ImageId,
    hash: HashFormat,
    identity: Option<String>,
    tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<Period>,
    unresolved: &'a [String],
    inputs: &'a [InputEntry],
}

pub(super) async fn run(session: &Session, args: HashArgs) -> Result<ExitCode, Failure> {
    let family = session.family()?;
    let pins = session.pins(&family, false)?;
    let target = session.target(&family, &session.asked_target())?;
    let world = session.world(&family, &target);
    let hashed = gather::hash(&family, &pins, args.explain, args.resolve.then_some(&world)).await?;
    Session::refuse_floats(args.strictness, &hashed.floats)?;
    let floats = hashed.floats.iter().map(Problem::warning);
    let warnings: Vec<String> = hashed.warnings.iter().cloned().chain(floats).collect();
    for warning in &warnings {
        session.warn(warning);
    }
    if session.is_json() {
        let images = hashed
            .images
            .iter()
            .map(|image| document(&family, image))
            .collect();
        session.json(&Document {
            schema: 1,
            images,
            warnings,
        })?;
        return Ok(ExitCode::Done);
    }
    for image in &hashed.images {
        if let Some(period) = image.period {
            session.note(&format!(
                "the identity of {} is that of {period}, for `refresh`",
                image.image
            ));
        }
        let shown = match &image.identity {
            Some(identity) => IdentityTags::new(&image.image, identity).index().to_string(),
            None => format!("open: {}", image.unresolved.join(", ")),
        };
        session.stdout.line(&format!("{}  {shown}", image.image));
        if args.explain {
            session.stdout.write(&image.explanation);
        }
    }
    let open = hashed.images.iter().any(|image| image.identity.is_none());
    if open {
        session.warn("what is open is known after `splitbase resolve --write`, with `--set NAME=VERSION` or `--resolve`");
    }
    Ok(ExitCode::Done)
}

fn document<'a>(family: &Family, image: &'a HashedImage) -> ImageDocument<'a> {
    let tag = image
        .identity
        .map(|identity| IdentityTags::new(&image.image, &identity).index().to_string());
    ImageDocument {
        image: &image.image,
        hash: family
            .image(&image.image)
            .map(|image| image.hash)
            .unwrap_or_default(),
        identity: image.identity.map(|identity| identity.to_string()),
        tag,
        period: image.period,
        unresolved: &image.unresolved,
        inputs: &image.files,
    }
}
