"""What ticketing decides without looking anywhere: the procedure engine, what switches mean together, the picture of a procedure."""
