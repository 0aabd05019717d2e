"""Pure: states, who receives what, the rendered mail, its MIME form."""
