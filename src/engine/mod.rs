//! Pure functions over domain values.
