"""The HTTP server: an OpenAI-compatible transcription API, slot tagging, understanding, and a web page.

The modules in the order in which a request passes them: `middleware` (API key, security headers, metrics), `routes`
(the endpoints), `uploads` (bodies within limits), `audio_upload` (decoding, in a few threads), `batching` (dynamic
batching: requests that are waiting at the same time form a batch), `inference` (what the models compute for a batch).
"""
