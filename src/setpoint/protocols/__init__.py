"""The three wire formats. What clients speak to us (a skin) and what we speak to providers (a dialect) are the same."""
