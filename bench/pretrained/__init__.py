"""Networks of other libraries by name: their modules and weights, how they want images, what their outputs mean."""
