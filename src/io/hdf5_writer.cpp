// filled in the commits that follow
