"""The HTTP server: transcription in the shape clients already speak, tagging, understanding, and one web page.

A request's way: `gate` (key, measures), `uploads` (body within limits), `sound` (decoded, in a few threads), `worker`
(what has arrived together is answered together, by `answers`), `routes` (put in its shape).
"""
