//! What a selector means in a network: certainly and possibly selected places (SEMANTICS.md section 1).
