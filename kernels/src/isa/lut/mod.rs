//! Look-ups in tables held in registers.
