"""The reader of programs: jaxprs and source text, and the flow of values through them."""
