//! Readers: text in, spanned values out. They know neither packet sets nor the engine.

pub mod dump;
