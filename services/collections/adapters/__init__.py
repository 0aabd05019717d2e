"""What collections keeps in its process: who watches which customer."""
