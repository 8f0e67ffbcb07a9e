def generate(**k):
    raise NotImplementedError
