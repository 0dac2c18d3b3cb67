//! The image and the compose file, on real containers. Without Docker these stories fail: they are not skipped.

mod compose;
mod three_containers;
