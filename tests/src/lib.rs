//! End-to-end tests and their rig.
