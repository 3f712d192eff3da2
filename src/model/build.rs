//! The builder: the only door to a network.
