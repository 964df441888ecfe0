"""The published money equals what really happened, to the cent."""
