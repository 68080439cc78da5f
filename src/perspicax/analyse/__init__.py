"""The reader of programs: jaxprs, and the flow of values through them."""
