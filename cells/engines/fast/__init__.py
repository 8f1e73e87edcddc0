def obstacle(cell, inputs):
    return "not yet"
def run_fast(*a):
    raise NotImplementedError
