"""Chorus: recorded meetings, their transcripts, users and teams. Read only."""
