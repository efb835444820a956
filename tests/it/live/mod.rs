//! What changes while it is looked at: the feed, the picture after edits, tiles that stay.

mod feed;
mod picture;
