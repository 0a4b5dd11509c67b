"""Training of transformer encoders: `romaine train encoder` and `romaine train distill`."""
