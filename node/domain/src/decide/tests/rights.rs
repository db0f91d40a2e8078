//! Requests of persons as stories between nodes.
