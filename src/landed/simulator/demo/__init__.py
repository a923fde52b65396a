"""What goes on in `landed demo`: a company that uses Landed, the people it writes to, and those who wish it ill."""
