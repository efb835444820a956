//! The durable workspace: one GeoPackage with the layers, the history of every edit and the reports of every
//! import. Durability only: no index, no area, no rule of the trade.
//!
//! Invariants:
//! - The file is a valid GeoPackage at any moment, also after the process is killed, and holds exactly the
//!   edits and imports that were acknowledged, plus at most one whose acknowledgement was cut off; never a
//!   part of one.
//! - One process writes at a time (`sidecar`); any number of programs read meanwhile.
//! - Every row that an edit touches is kept as it was and as it became (`history`), and so are all rows that an import
//!   puts others in the place of (`era`), until the record is compacted.
//! - Every entry of the record carries a hash over all before it (`chain`).
//!
//! Question: why a write-ahead log and not a rollback journal? After a kill, a program with read-only access
//! can open the file as it stands; a rollback journal would have to be played back first, which needs write
//! access (as it does for the instant in which opening and closing change from the one to the other: a program that may
//! write has to open it once then). The log is emptied into the file and removed when the workspace is closed.

mod chain;
mod check;
mod checkin;
mod checkout;
mod compact;
mod edit;
mod era;
mod error;
mod feed;
mod history;
mod import;
mod outside;
mod own;
mod past;
mod record;
mod scan;
mod sidecar;
mod tables;
mod transfer;
mod upgrade;
mod verify;
mod workspace;

pub use chain::{Hash, Kind, NotAHash};
pub use check::Problem;
pub use checkin::{CheckIn, Held, HeldRow, Image, StoredCheckIn};
pub use checkout::{Checkout, Stamp};
pub use compact::Compacted;
pub use edit::Receipt;
pub use era::{Append, Era};
pub use error::StoreError;
pub use feed::VisitChange;
pub use history::{History, LayerCount, StoredChange, StoredEdit, StoredImport, StoredLineage};
pub use import::{How, Import, Note};
pub use outside::{After, Lookout, OutsideLayer, OutsideRow, RefusedRow, Sight, TableFault};
pub use past::{StoredBefore, VisitBefore};
pub use scan::{Reader, StoredRow};
pub use upgrade::Upgrade;
pub use verify::{Discrepancy, Told, Verification};
pub use workspace::{Recovery, StoredLayer, Workspace};
