//! From names to numbers: what the builder calls when it knows a node's interfaces.
