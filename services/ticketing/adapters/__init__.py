"""What ticketing reaches outside its own tables: the network, and the drawing of pictures."""
