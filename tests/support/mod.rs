//! Networks made by hand and by chance, and the packets that tell everything apart about them.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod compare;
pub mod net;
pub mod packets;
pub mod random;
pub mod universe;
