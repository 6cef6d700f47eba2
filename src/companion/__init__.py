"""What the book needs beside the method: training runs, the evidence, and its pages."""
