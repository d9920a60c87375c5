//! `[sign]`: what cosign is told.

use super::Resolver;
use crate::config::Sign;
use crate::config::document::Placed;

/// Flags that splitbase sets itself, or whose value would be seen by everybody on the machine, and what to do instead.
const REFUSED: [(&[&str], &str); 4] = [
    (&["--yes", "-y"], "leave it out; splitbase sets it"),
    (
        &["--registry-password", "--registry-token", "--registry-username"],
        "leave it out; cosign uses the login of docker",
    ),
    (
        &["--identity-token"],
        "leave it out; set the variable `SIGSTORE_ID_TOKEN`, or name a file that holds it",
    ),
    (
        &["--help", "-h", "--version", "--"],
        "leave it out; it does not sign",
    ),
];

impl Resolver<'_, '_> {
    pub(super) fn sign(&mut self) -> Option<Sign> {
        let raw = self.raw.sign.value()?;
        let cosign = raw.cosign.given()?;
        self.check_cosign(&cosign.value);
        if let Some(verify) = raw.verify.given() {
            self.check_cosign(&verify.value);
        }
        let values = |list: &Vec<Placed<String>>| list.iter().map(|arg| arg.value.clone()).collect();
        Some(Sign {
            cosign: values(&cosign.value),
            verify: raw.verify.value().map(values),
        })
    }

    fn check_cosign(&mut self, args: &[Placed<String>]) {
        for (at, arg) in args.iter().enumerate() {
            let name = arg.value.split('=').next().unwrap_or_default();
            let refused = REFUSED.iter().find(|(flags, _)| flags.contains(&name));
            if let Some((_, hint)) = refused {
                let file = name == "--identity-token" && arg.value.contains("=/");
                if !file {
                    let message = format!("{}: `{name}` is not for a file that others read", arg.label);
                    self.error(&arg.span, message, (*hint).to_owned());
                }
            } else if at == 0 && !arg.value.starts_with('-') {
                let message = format!("{}: `{}` is no flag", arg.label, arg.value);
                let hint = "write only the flags: splitbase runs `cosign sign FLAGS… DIGEST`, and `cosign verify FLAGS… DIGEST`";
                self.error(&arg.span, message, hint.to_owned());
            }
        }
    }
}
