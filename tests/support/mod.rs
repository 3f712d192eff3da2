//! Networks made by hand and by chance, and the packets that tell everything apart about them.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod compare;
pub(crate) mod line;
pub(crate) mod marking;
pub(crate) mod net;
pub(crate) mod packets;
pub(crate) mod question;
pub(crate) mod random;
pub(crate) mod row;
pub(crate) mod settle;
pub(crate) mod text;
pub(crate) mod translating;
pub(crate) mod universe;
