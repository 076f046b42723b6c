//! The promises of the tool, one case each, written once and run on every cloud and every server that stands in for it, as
//! `contract::<part>::<case>::<cloud>::<server>`.
//!
//! What a case needs to know of a cloud is data in `clouds`. MiniStack, which others wrote, has those cases that ask a server
//! something; where it does not have one, the list of cases says why.

mod apply;
mod destroy;
mod drift;
pub(crate) mod faults;
mod output;
mod renaming;
mod saved;
mod sharing;
