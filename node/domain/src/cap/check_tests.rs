//! The checker against small documents, a rule at a time.
