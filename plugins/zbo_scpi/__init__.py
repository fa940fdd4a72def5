"""A waveform generator that speaks SCPI over VISA, as a part of a campaign, and a simulator of one."""
