//! Readers: from texts to the network and its claims. Nothing here knows packet sets or the engine.

mod decode;
mod topology;
mod yaml;
