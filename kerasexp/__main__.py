from kerasexp.cli import main

main()
