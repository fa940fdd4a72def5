"""A joint rotationally invariant VAE (pyroVED), trained under a schedule of its KL weights, as a part of a campaign."""
