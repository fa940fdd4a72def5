"""Does what a campaign found beat what people use: final trainings of both, over paired seeds."""
