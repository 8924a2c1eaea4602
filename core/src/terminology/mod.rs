//! Terminology: code systems, value sets and concept maps of packages, and what a host brings.

pub mod shapes;
