//! Reports of an outcome, for readers and for programs: a file for each form.

pub mod compare;
pub mod html;
pub mod json;
mod plot;
pub mod table;
