//! A row for each rule of whose a thing is and what becomes of it.
