"""One engine for replay and live: folds over slices of the tape, thin csp nodes around them."""
