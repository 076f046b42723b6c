//! The rules that decide whether a set-up works.
