//! What each kind of step does.

mod again;
pub(super) mod assemble;
pub(super) mod build;
mod claim;
pub(super) mod describe;
pub(super) mod inputs;
pub(super) mod publish;
pub(super) mod record;
pub(super) mod sign;
pub(super) mod smoke;
pub(super) mod withdraw;
